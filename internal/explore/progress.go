//go:build faultpoints

package explore

// progress looks, when all states are known, for one from which no steps lead to
// an end, if nobody dies any more: there the actors go round for ever, or have
// come into a dead end. (Those which only never need to end, because an actor may
// be unlucky each time, are not found by it.)
func (x *search[P]) progress() error {
	from := func(i int) (begin, end int) {
		if i+1 < len(x.nodes) {
			return x.nodes[i].next, x.nodes[i+1].next
		}
		return x.nodes[i].next, len(x.edges)
	}
	// The edges the other way round: those to node i are sources[first[i]:first[i+1]].
	first := make([]int, len(x.nodes)+1)
	for _, to := range x.edges {
		first[to+1]++
	}
	for i := range x.nodes {
		first[i+1] += first[i]
	}
	free := append([]int(nil), first...)
	sources := make([]int32, len(x.edges))
	good := make([]bool, len(x.nodes))
	var queue []int32
	for i := range x.nodes {
		begin, end := from(i)
		if begin == end {
			good[i] = true
			queue = append(queue, int32(i))
		}
		for _, to := range x.edges[begin:end] {
			sources[free[to]] = int32(i)
			free[to]++
		}
	}
	for len(queue) > 0 {
		to := queue[0]
		queue = queue[1:]
		for _, i := range sources[first[to]:first[to+1]] {
			if !good[i] {
				good[i] = true
				queue = append(queue, i)
			}
		}
	}
	for i, ok := range good {
		if !ok {
			return x.violation(int32(i), "from here no steps lead to an end")
		}
	}
	return nil
}
