package mem

func fenceLoads()  // DMB ISHLD
func fenceStores() // DMB ISHST
