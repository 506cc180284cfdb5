package mem

func fenceLoads()  {}
func fenceStores() {}
