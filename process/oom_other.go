//go:build !linux

package process

func oomCounter(string) string    { return "" }
func oomKills(string) int64       { return -1 }
func oomKillsBefore(string) int64 { return -1 }
