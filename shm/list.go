package shm

import (
	"encoding/hex"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"time"
)

// Info describes a segment as its file does.
type Info struct {
	Name       string
	Path       string
	Kind       string
	Layout     uint64 // the kind's layout version
	Type       string // text of the element type
	TypeSum    uint64
	Size       int64 // bytes asked for at creation
	FileSize   int64 // bytes of the file
	Mode       fs.FileMode
	Mirrored   bool
	Persistent bool
	Created    time.Time
	ID         [16]byte
	Slots      int // size of the slot table
	Holders    int // slots whose process lives
	Dead       int // slots whose process is gone, not recovered yet
	// Err says why the file is no valid segment, or can't be read. Then only Name,
	// Path and, where the file could be looked at, Mode and FileSize are set.
	Err error
}

// IDText returns the id in hex, as it stands in handles.
func (i *Info) IDText() string { return hex.EncodeToString(i.ID[:]) }

// List describes the segments of the directory, by name. It takes no lock and
// writes nothing. A file that is no valid segment is listed with its error; a
// directory that does not exist is empty.
func (d Dir) List() ([]Info, error) {
	entries, err := os.ReadDir(string(d))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, wrap("list", string(d), err)
	}
	infos := make([]Info, 0, len(entries))
	for _, e := range entries {
		if hidden(e.Name()) {
			continue
		}
		path := filepath.Join(string(d), e.Name())
		i, err := Inspect(path)
		if errors.Is(err, ErrNotExist) {
			continue
		}
		if err != nil {
			infos = append(infos, badInfo(path, err))
			continue
		}
		infos = append(infos, i.Info())
		i.Close()
	}
	return infos, nil
}

func badInfo(path string, err error) Info {
	info := Info{Name: filepath.Base(path), Path: path, Err: err}
	if abs, err := filepath.Abs(path); err == nil {
		info.Path = abs
	}
	if fi, err := os.Lstat(path); err == nil {
		info.Mode, info.FileSize = fi.Mode(), fi.Size()
	}
	return info
}
