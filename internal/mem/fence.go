package mem

// FenceLoads keeps every load before it ahead of every load and store after it: it
// stands between reading plain memory and the atomic load that tells whether what
// was read was whole. (An atomic load alone holds back what follows it, not what
// went before.) On amd64 loads are never reordered with each other, and the
// compiler keeps them in order around atomic operations, so there it is nothing.
func FenceLoads() { fenceLoads() }

// FenceStores keeps every store before it ahead of every store after it: it stands
// between an atomic store that says that memory is about to change and the plain
// stores that change it. On amd64 stores are never reordered with each other.
func FenceStores() { fenceStores() }
