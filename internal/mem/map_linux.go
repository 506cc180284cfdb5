package mem

import (
	"fmt"
	"unsafe"

	"golang.org/x/sys/unix"
)

// Map maps the first size bytes of the file fd, shared, and directly behind
// them its last mirror bytes a second time: b[size+i] is then the same memory
// as b[size-mirror+i]. Size and mirror are multiples of the page size; mirror
// may be 0. The memory is read-only unless writable. [Unmap] ends it.
//
// The whole range is reserved first and then replaced piece by piece, so that
// no other mapping of the process can get in between.
func Map(fd, size, mirror int, writable bool) ([]byte, error) {
	if size <= 0 || mirror < 0 || mirror > size || size+mirror < size {
		return nil, fmt.Errorf("%w: %d bytes mirroring %d", ErrBounds, size, mirror)
	}
	prot := unix.PROT_READ
	if writable {
		prot |= unix.PROT_WRITE
	}
	total := uintptr(size + mirror)
	base, err := unix.MmapPtr(-1, 0, nil, total, unix.PROT_NONE, unix.MAP_PRIVATE|unix.MAP_ANON|unix.MAP_NORESERVE)
	if err != nil {
		return nil, fmt.Errorf("reserve %d bytes: %w", total, err)
	}
	_, err = unix.MmapPtr(fd, 0, base, uintptr(size), prot, unix.MAP_SHARED|unix.MAP_FIXED)
	if err == nil && mirror > 0 {
		_, err = unix.MmapPtr(fd, int64(size-mirror), unsafe.Add(base, size), uintptr(mirror), prot, unix.MAP_SHARED|unix.MAP_FIXED)
	}
	if err != nil {
		_ = unix.MunmapPtr(base, total)
		return nil, fmt.Errorf("map %d bytes: %w", total, err)
	}
	return unsafe.Slice((*byte)(base), total), nil
}

// Blank replaces a mapping made by [Map] by zeros that are the process's own, and take no
// memory until they are written to. Who is reading it sees, from some moment on, only zeros:
// an access in between waits until all is replaced.
func Blank(b []byte) error {
	_, err := unix.MmapPtr(-1, 0, unsafe.Pointer(unsafe.SliceData(b)), uintptr(len(b)),
		unix.PROT_READ|unix.PROT_WRITE, unix.MAP_PRIVATE|unix.MAP_ANON|unix.MAP_NORESERVE|unix.MAP_FIXED)
	return err
}

// Unmap ends a mapping made by [Map]. All views of it end with it.
func Unmap(b []byte) error {
	return unix.MunmapPtr(unsafe.Pointer(unsafe.SliceData(b)), uintptr(len(b)))
}
