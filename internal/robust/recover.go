package robust

import "fmt"

// Recover repairs an object after the death of the slot's process, in its name:
// the locks that it held are free and marked, its permits are given back, it is
// out of read locks and conditions, and barriers that counted on it are broken.
//
// It is called for each object of a segment, in any order, by the hook of
// shm.Spec.Recover, whose caller holds the slot's liveness lock. It consists of
// single steps that may be repeated: when the recoverer dies too, the next one
// begins again. Errors are [ErrCorrupt].
func Recover(k Kind, b []byte, slots, slot int) error {
	return takeOut(k, b, slots, slot, true)
}

// Leave is Recover for a process that leaves in an orderly way, by itself, while
// it still has its slot and after its last operation. What it holds is given up
// as by a death, but a barrier that it does not wait at stays whole: it goes on
// without it.
func Leave(k Kind, b []byte, slots, slot int) error {
	return takeOut(k, b, slots, slot, false)
}

func takeOut(k Kind, b []byte, slots, slot int, dead bool) error {
	if slot < 0 || slot >= slots {
		return fmt.Errorf("%w: slot %d of %d", ErrCorrupt, slot, slots)
	}
	switch k {
	case KindMutex:
		words, _, err := view[mutexWords](k, b, slots)
		if err != nil {
			return err
		}
		recoverMutex(words, slot)
		return nil
	case KindRWLock:
		return recoverRWLock(b, slots, slot)
	case KindSemaphore:
		return recoverSemaphore(b, slots, slot)
	case KindEvent:
		return nil
	case KindCond:
		return recoverCond(b, slots, slot)
	case KindBarrier:
		return recoverBarrier(b, slots, slot, dead)
	}
	return fmt.Errorf("%w: object of kind %d", ErrCorrupt, k)
}
