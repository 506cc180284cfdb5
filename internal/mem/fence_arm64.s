#include "textflag.h"

// func fenceLoads()
TEXT ·fenceLoads(SB), NOSPLIT, $0-0
	DMB	$0x9 // ISHLD
	RET

// func fenceStores()
TEXT ·fenceStores(SB), NOSPLIT, $0-0
	DMB	$0xa // ISHST
	RET
