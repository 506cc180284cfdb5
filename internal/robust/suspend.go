package robust

import "context"

// What a Cond does with its lock.

func (m *Mutex) held() bool { return m.holds() }

func (m *Mutex) suspend() (int, error) {
	if !m.holds() {
		return 0, ErrNotOwner
	}
	return 1, m.Unlock()
}

func (m *Mutex) resume(int) error { return m.Lock(context.Background()) }

func (l *RLock) held() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.depth > 0
}

func (l *RLock) suspend() (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	depth := l.depth
	if depth == 0 {
		return 0, ErrNotOwner
	}
	return depth, l.setDepth(0)
}

func (l *RLock) resume(depth int) error {
	err := l.Lock(context.Background())
	if err == nil || err == ErrOwnerDied {
		l.mu.Lock()
		defer l.mu.Unlock()
		for range depth - 1 {
			l.enter()
		}
	}
	return err
}
