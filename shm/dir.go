package shm

import (
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// A Dir is a directory of segments, given by its path.
type Dir string

const maxName = 128

// checkName checks a segment's name: it is a file's name on every platform
// and never a hidden one, which are ours.
func checkName(name string) error {
	if name == "" {
		return fmt.Errorf("%w: empty", ErrName)
	}
	if len(name) > maxName {
		return fmt.Errorf("%w: %d bytes, more than %d", ErrName, len(name), maxName)
	}
	if name[0] == '.' {
		return fmt.Errorf("%w: %q starts with a dot", ErrName, name)
	}
	for i := range len(name) {
		c := name[i]
		if !('a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9' || c == '.' || c == '_' || c == '-') {
			return fmt.Errorf("%w: %q contains %q", ErrName, name, c)
		}
	}
	return nil
}

// randomName returns a name for a segment whose creator has none.
func randomName() string {
	var b [8]byte
	rand.Read(b[:])
	return "shm-" + hex.EncodeToString(b[:])
}

// path returns the absolute path of the segment of that name.
func (d Dir) path(name string) (string, error) {
	if err := checkName(name); err != nil {
		return "", err
	}
	abs, err := filepath.Abs(string(d))
	if err != nil {
		return "", err
	}
	return filepath.Join(abs, name), nil
}

// Names of files that are no segments start with a dot.
const tempPrefix = ".tmp-"

// tempPath is the name under which the segment of that id is built.
func tempPath(dir string, id [16]byte) string {
	return filepath.Join(dir, tempPrefix+hex.EncodeToString(id[:]))
}

// ensureDir makes the directory if it is missing, and checks it.
func ensureDir(dir string, o *Options) error {
	err := checkDir(dir, o)
	if !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	return checkDir(dir, o)
}

// checkDir refuses directories in which somebody else could swap files.
func checkDir(dir string, o *Options) error {
	fi, err := os.Lstat(dir)
	if err != nil {
		return err
	}
	if !fi.IsDir() {
		return fmt.Errorf("directory %s: %w: %s", dir, ErrLink, fi.Mode().Type())
	}
	if err := checkAccess(fi, o); err != nil {
		return fmt.Errorf("directory %s: %w", dir, err)
	}
	if err := checkFilesystem(dir); err != nil {
		return fmt.Errorf("directory %s: %w", dir, err)
	}
	return nil
}

// checkAccess checks owner and mode of a file or directory.
func checkAccess(fi fs.FileInfo, o *Options) error {
	if err := checkOwner(fi, o); err != nil {
		return err
	}
	const others = 0o022
	if extra := fi.Mode().Perm() & others &^ o.Mode; extra != 0 && modesCount {
		return fmt.Errorf("%w: mode %#o lets others write", ErrMode, fi.Mode().Perm())
	}
	return nil
}

func checkOwner(fi fs.FileInfo, o *Options) error {
	if o.AllowForeign {
		return nil
	}
	if uid, ok := ownerOf(fi); ok && uid != os.Geteuid() {
		return fmt.Errorf("%w: user %d, not %d", ErrOwner, uid, os.Geteuid())
	}
	return nil
}

// isAt tells whether the file is the one at the path.
func isAt(fi fs.FileInfo, path string) bool {
	at, err := os.Lstat(path)
	return err == nil && os.SameFile(fi, at)
}

// openFile opens the file of a segment and checks everything about it but its
// contents.
func openFile(path string, o *Options, writable bool) (*os.File, fs.FileInfo, error) {
	// A device or a FIFO must not even be opened, which can block or have effects.
	fi, err := os.Lstat(path)
	if err == nil {
		err = checkRegular(fi)
	}
	if err != nil {
		return nil, nil, err
	}
	flag := os.O_RDONLY
	if writable {
		flag = os.O_RDWR
	}
	f, err := os.OpenFile(path, flag|openSafely, 0)
	if err != nil {
		// It may have become something else meanwhile, and that is the better reason.
		if again, statErr := os.Lstat(path); statErr == nil {
			if bad := checkRegular(again); bad != nil {
				err = bad
			}
		}
		return nil, nil, err
	}
	if fi, err = f.Stat(); err == nil {
		err = checkRegular(fi)
	}
	if err == nil && writable {
		err = checkAccess(fi, o)
	} else if err == nil {
		err = checkOwner(fi, o)
	}
	if err != nil {
		f.Close()
		return nil, nil, err
	}
	return f, fi, nil
}

func checkRegular(fi fs.FileInfo) error {
	if fi.Mode().IsRegular() {
		return nil
	}
	what := "device"
	switch m := fi.Mode(); {
	case m&fs.ModeSymlink != 0:
		what = "symbolic link"
	case m.IsDir():
		what = "directory"
	case m&fs.ModeNamedPipe != 0:
		what = "FIFO"
	case m&fs.ModeSocket != 0:
		what = "socket"
	}
	return fmt.Errorf("%w: a %s", ErrLink, what)
}

// hidden tells whether a directory entry is none of the segments.
func hidden(name string) bool { return strings.HasPrefix(name, ".") }
