package shm_test

import (
	"errors"
	"fmt"
	"io/fs"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/shmkit/shmkit/shm"
)

func freeBlocks(t *testing.T, dir string) uint64 {
	t.Helper()
	var st unix.Statfs_t
	if err := unix.Statfs(dir, &st); err != nil {
		t.Fatal(err)
	}
	return st.Bfree
}

func TestFullFileSystem(t *testing.T) {
	dir := testDir(t)
	if err := unix.Mount("shmkit-test", dir, "tmpfs", 0, "size=1m,mode=700"); err != nil {
		t.Skip("mounting a small tmpfs is not permitted:", err)
	}
	t.Cleanup(func() {
		if err := unix.Unmount(dir, 0); err != nil {
			t.Errorf("unmount: %v", err)
		}
	})
	// Whatever an unlocked hold of blocks is left over, the kernel takes back
	// when the last descriptor is closed.
	for _, o := range []*shm.Options{{Dir: dir}, shm.Named(shm.Options{Dir: dir})} {
		before := freeBlocks(t, dir)
		for range 3 {
			_, err := shm.Create("big", 2<<20, o)
			wantError(t, "create", err, shm.ErrNoSpace, syscall.ENOSPC)
			if !strings.Contains(err.Error(), "2232320 bytes needed, 1048576 free") {
				t.Errorf("error %q does not say the sizes", err)
			}
			_, err = shm.OpenOrCreate("big", 2<<20, o)
			wantError(t, "open or create", err, shm.ErrNoSpace)
		}
		if left := names(t, dir); len(left) > 0 {
			t.Errorf("left behind: %q", left)
		}
		if after := freeBlocks(t, dir); after != before {
			t.Errorf("%d blocks free, %d before", after, before)
		}
		// What fits is really there: each page can be written.
		s := must(shm.Create("fits", 512<<10, o))(t)
		used := create(t, "rest", int64(freeBlocks(t, dir)-33-1)*4096, o)
		for _, b := range [][]byte{s.Bytes(), used.Bytes()} {
			for i := range b {
				b[i] = 0xff
			}
		}
		used.Close()
		s.Close()
	}
}

// The kernel's file systems that are refused can't all be mounted in a test.
func TestUnsuitableFilesystems(t *testing.T) {
	for magic, name := range map[int64]string{
		0x6969: "NFS", 0x65735546: "FUSE", 0xff534d42: "CIFS", 0xfe534d42: "SMB", 0x01021997: "9P",
	} {
		if err := shm.FilesystemError(magic); !errors.Is(err, shm.ErrFilesystem) || !strings.Contains(fmt.Sprint(err), name) {
			t.Errorf("file system %#x: %v", magic, err)
		}
	}
	for _, magic := range []int64{unix.TMPFS_MAGIC, unix.EXT4_SUPER_MAGIC, unix.XFS_SUPER_MAGIC, unix.BTRFS_SUPER_MAGIC, unix.OVERLAYFS_SUPER_MAGIC} {
		if err := shm.FilesystemError(magic); err != nil {
			t.Errorf("file system %#x: %v", magic, err)
		}
	}
}

func TestReadOnlyDirectory(t *testing.T) {
	dir := testDir(t)
	if err := unix.Mount("shmkit-test", dir, "tmpfs", unix.MS_RDONLY, "size=64k,mode=700"); err != nil {
		t.Skip("mounting a small tmpfs is not permitted:", err)
	}
	t.Cleanup(func() {
		if err := unix.Unmount(dir, 0); err != nil {
			t.Errorf("unmount: %v", err)
		}
	})
	_, err := shm.Create("x", 8, &shm.Options{Dir: dir})
	wantError(t, "create", err, syscall.EROFS)
	if errors.Is(err, fs.ErrExist) {
		t.Errorf("error %v", err)
	}
}
