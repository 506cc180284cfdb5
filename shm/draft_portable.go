//go:build portable || !linux

package shm

import (
	"io/fs"
	"os"

	"github.com/shmkit/shmkit/internal/fault"
)

// A draft is a segment's file while it is being built, under a hidden name
// that [Dir.Sweep] cleans away when slot 0, which is locked before the file is
// made, is not locked any more.
type draft struct {
	f    *os.File
	live *liveness
	temp string
}

func newDraft(dir string, id [16]byte, mode fs.FileMode, _ bool) (*draft, error) {
	live, err := openLiveness(nil, "", dir, id)
	if err != nil {
		return nil, err
	}
	ok, err := live.tryJoin(0)
	if !ok {
		if err == nil {
			err = ErrBusy // held by a sweeper, of a lock file not a moment old
		}
		return nil, err
	}
	temp := tempPath(dir, id)
	fault.Point("shm.create.draft")
	f, err := os.OpenFile(temp, os.O_RDWR|os.O_CREATE|os.O_EXCL, mode)
	if err != nil {
		live.close()
		return nil, err
	}
	return &draft{f: f, live: live, temp: temp}, nil
}

// publish gives the finished file its name, which must not exist.
func (d *draft) publish(path string) error { return os.Link(d.temp, path) }

// settle ends the draft after its publication or failure: the temporary name
// goes. Where open files can't be removed, a later sweep does it.
func (d *draft) settle() { _ = os.Remove(d.temp) }

// discard gives the draft up, with all that belongs to it.
func (d *draft) discard() {
	d.f.Close()
	d.settle()
	d.live.close()
}

// allocate really takes the space of n bytes of a new file from off on, and makes
// it that long, so that no access to the mapping can find the file system full.
func allocate(f *os.File, off, n int64) error { return noSpace(f, n, writeZeros(f.WriteAt, off, n)) }
