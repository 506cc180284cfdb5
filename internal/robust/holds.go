package robust

// Holds tells whether the slot's process has something of the object that it is to give
// back: a lock, or permits. The answer may be old,
// unless that process asks and is in the middle of nothing. It is false for an object that
// is corrupt.
func Holds(k Kind, b []byte, slots, slot int) bool {
	if slot < 0 || slot >= slots {
		return false
	}
	var apply func(o op, held, total uint32) uint32
	switch k {
	case KindMutex:
		words, _, err := view[mutexWords](k, b, slots)
		return err == nil && lockWord(words.word.Load()).owner() == slot
	case KindRWLock:
		apply = applyRW
	case KindSemaphore:
		apply = applyPermits
	default:
		return false
	}
	words, shares, err := view[countWords](k, b, slots)
	if err != nil {
		return false
	}
	t := tally{sum: &words.sum, shares: shares, apply: apply}
	_, held, _ := t.read(slot)
	return held != 0
}
