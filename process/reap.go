package process

import (
	"io"
	"os"
)

// maxCrash bounds the text of a Go crash that is kept: its beginning, which
// has the reason and the goroutine at fault.
const maxCrash = 64 << 10

// listen takes the child's messages until it has ended.
func (p *Process) listen(from *lastReader) {
	for {
		kind, payload, err := readFrame(from, 2*maxReport)
		switch {
		case err != nil:
			return
		case kind == msgReady:
			p.acknowledged.Store(true)
			p.reply(nil)
		case kind == msgRefuse:
			p.reply(refusal(payload))
		case kind == msgReport:
			p.report = string(payload)
		}
	}
}

// reply passes the child's answer on to handshake. There is one only.
func (p *Process) reply(err error) {
	select {
	case p.answer <- err:
	default:
	}
}

// reap waits for the child's end and collects what it left. It is the one
// goroutine that waits for it.
func (p *Process) reap(pidfd int, control *lastReader, outputs []output, cgroup string) {
	p.ooms = oomCounter(cgroup)
	p.oom = oomKillsBefore(p.ooms)
	var state *os.ProcessState
	var err error
	if awaitExit(p.pid, pidfd) {
		watchers.tell(p, Zombie)
		p.mu.Lock()
		state, err = p.proc.Wait() // does not block
	} else {
		state, err = p.proc.Wait()
		p.mu.Lock()
	}
	p.reaped = true
	forget := p.forget
	p.mu.Unlock()
	if forget != nil {
		forget()
	}

	control.expire()
	for _, out := range outputs {
		out.from.expire()
	}
	p.io.Wait()
	if p.feed != nil {
		p.feed.Close()
	}
	if err != nil || !state.Success() { // else there can't be any
		p.crashText = readCrash(p.crash)
	}
	p.crash.Close()
	p.control.Close()
	p.state = state
	if err != nil { // somebody else has reaped it
		p.report = "exit status is unknown: " + err.Error()
	}
	if err != nil || !state.Success() {
		p.failure = p.newExitError()
	}
	children.remove(p)
	close(p.done)
	watchers.tell(p, Exited)
}

// readCrash returns the text in the crash pipe of a child that has ended.
func readCrash(f *os.File) string {
	r := newLastReader(f)
	r.expire()
	b, _ := io.ReadAll(io.LimitReader(r, maxCrash))
	return string(b)
}
