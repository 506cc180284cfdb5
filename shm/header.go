package shm

import (
	"bytes"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"math"
	"os"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/shmkit/shmkit/internal/mem"
)

// newHeader lays out a segment. The error is [ErrSize] for sizes out of range.
func newHeader(sp *Spec, o *Options, id [16]byte) (*header, error) {
	slots := sp.Slots
	if slots == 0 {
		slots = o.Slots
	}
	if slots < 1 || slots > maxSlots {
		return nil, fmt.Errorf("%w: %d slots, not 1 to %d", ErrSize, slots, maxSlots)
	}
	page := int64(max(pageSize, os.Getpagesize()))
	bodyOff := roundUp(headerSize+int64(slots)*slotSize, page)
	if sp.Size <= 0 || sp.Size > math.MaxInt64/4-bodyOff-page {
		return nil, fmt.Errorf("%w: %d bytes", ErrSize, sp.Size)
	}
	if sp.Reserve < 0 || sp.Reserve%page != 0 || sp.Reserve > math.MaxInt64/4 {
		return nil, fmt.Errorf("%w: reserve of %d bytes behind %d", ErrSize, sp.Reserve, sp.Size)
	}
	body := roundUp(sp.Size, page)
	if sp.Mirror < 0 || sp.Mirror > body || sp.Mirror%page != 0 || sp.Mirror > 0 && body != sp.Size {
		return nil, fmt.Errorf("%w: mirror of %d bytes of %d: not whole pages of it", ErrSize, sp.Mirror, sp.Size)
	}
	body += sp.Reserve
	if total := bodyOff + body + sp.Mirror; int64(int(total)) != total {
		return nil, fmt.Errorf("%w: %d bytes can't be mapped on this platform", ErrSize, total)
	}
	h := &header{
		endian:   endianMark,
		version:  version,
		flags:    engineFlags,
		fileSize: uint64(bodyOff + body),
		slotOff:  headerSize,
		slotSize: slotSize,
		slots:    uint32(slots),
		bodyOff:  uint64(bodyOff),
		bodySize: uint64(body),
		size:     uint64(sp.Size + sp.Reserve),
		reserve:  uint64(sp.Reserve),
		created:  time.Now().UnixNano(),
		layout:   sp.Layout,
		typeSum:  sp.TypeSum,
		id:       id,
		boot:     bootID(),
	}
	if o.Persistent {
		h.flags |= flagPersistent
	}
	if sp.Reserve > 0 {
		h.behind = uint64(sp.Mirror)
	}
	if canMirror {
		h.mirror = uint64(sp.Mirror)
	}
	copy(h.magic[:], magic)
	copy(h.kind[:], sp.Kind)
	h.typeLen = uint32(copy(h.typ[:], cut(sp.Type, typeLen)))
	h.crc = h.sum()
	return h, nil
}

func roundUp(n, unit int64) int64 { return (n + unit - 1) / unit * unit }

// cut shortens s to at most n bytes, between two characters.
func cut(s string, n int) string {
	if len(s) <= n {
		return s
	}
	for n > 0 && !utf8.RuneStart(s[n]) {
		n--
	}
	return s[:n]
}

// printable makes text of bytes from a file, which may be shown on a terminal.
func printable(b []byte) string {
	return strings.Map(func(r rune) rune {
		if !unicode.IsPrint(r) {
			return utf8.RuneError
		}
		return r
	}, string(b))
}

// sum returns the checksum of the header.
func (h *header) sum() uint32 {
	c := *h
	c.crc = 0
	return crc32.Checksum(mem.BytesOf(&c), crc32.MakeTable(crc32.Castagnoli))
}

func (h *header) kindText() string { return printable(bytes.TrimRight(h.kind[:], "\x00")) }
func (h *header) typeText() string { return printable(h.typ[:min(h.typeLen, typeLen)]) }
func (h *header) persistent() bool { return h.flags&flagPersistent != 0 }
func (h *header) size64() int64    { return int64(h.size) }

// readHeader reads the header of a file of the given size and checks that it
// is one and that its sizes agree with each other and with the file's. From
// then on the copy is used: bytes in the file may change under us.
func readHeader(f *os.File, size int64) (*header, error) {
	h := new(header)
	b := mem.BytesOf(h)
	n, err := f.ReadAt(b, 0)
	if err != nil && !errors.Is(err, io.EOF) {
		return nil, err
	}
	if got := string(b[:min(n, len(magic))]); got != magic[:len(got)] {
		return nil, fmt.Errorf("%w: wrong magic %q", ErrFormat, got)
	}
	if n < len(b) || size < headerSize {
		return nil, fmt.Errorf("%w: truncated to %d bytes, within the header", ErrSize, size)
	}
	if h.endian != endianMark {
		return nil, fmt.Errorf("%w: mark %#x, this machine's is %#x", ErrEndian, h.endian, endianMark)
	}
	if h.version != version {
		return nil, fmt.Errorf("%w: it has version %d, this program knows %d", ErrVersion, h.version, version)
	}
	if err := h.checkSizes(size); err != nil {
		return nil, err
	}
	if sum := h.sum(); h.crc != sum {
		return nil, fmt.Errorf("%w: checksum of the header is %#x, not %#x", ErrCorrupt, sum, h.crc)
	}
	if h.flags&^flagsKnown != 0 {
		return nil, fmt.Errorf("%w: unknown flags %#x", ErrCorrupt, h.flags&^flagsKnown)
	}
	return h, nil
}

// checkSizes checks each size against the ones before it by subtraction, which
// can't overflow, down from the file's own.
func (h *header) checkSizes(size int64) error {
	file := uint64(size)
	switch {
	case h.fileSize > file:
		return fmt.Errorf("%w: truncated: the header says %d bytes, the file has %d", ErrSize, h.fileSize, size)
	case h.fileSize < file:
		return fmt.Errorf("%w: the header says %d bytes, the file has %d", ErrSize, h.fileSize, size)
	case h.slotOff != headerSize || h.slotSize != slotSize || h.slots < 1 || h.slots > maxSlots:
		return fmt.Errorf("%w: slot table of %d × %d bytes at %d", ErrSize, h.slots, h.slotSize, h.slotOff)
	case h.bodyOff < headerSize+uint64(h.slots)*slotSize || h.bodyOff%pageSize != 0 || h.bodyOff > file:
		return fmt.Errorf("%w: body at %d of %d bytes, behind %d slots", ErrSize, h.bodyOff, file, h.slots)
	case h.bodySize != file-h.bodyOff || h.bodySize%pageSize != 0:
		return fmt.Errorf("%w: body of %d bytes at %d of %d", ErrSize, h.bodySize, h.bodyOff, file)
	case h.size == 0 || h.size > h.bodySize:
		return fmt.Errorf("%w: %d bytes used of a body of %d", ErrSize, h.size, h.bodySize)
	case h.mirror > h.bodySize || h.mirror%pageSize != 0:
		return fmt.Errorf("%w: mirror of %d bytes of a body of %d", ErrSize, h.mirror, h.bodySize)
	case h.behind > h.bodySize || h.behind%pageSize != 0 || h.reserve > h.bodySize-h.behind || h.reserve%pageSize != 0 ||
		h.reserve > 0 && h.mirror > h.behind:
		return fmt.Errorf("%w: reserve of %d bytes, %d before the end of a body of %d", ErrSize, h.reserve, h.behind, h.bodySize)
	}
	if total := h.fileSize + h.mirror; int64(total) < 0 || uint64(int(total)) != total {
		return fmt.Errorf("%w: %d bytes can't be mapped on this platform", ErrSize, total)
	}
	return nil
}

// usable checks that this build and this boot can take part in the segment.
func (h *header) usable(anyBoot bool) error {
	if h.flags&flagFlock != engineFlags {
		return fmt.Errorf("%w: it was made by %s, this program uses %s", ErrUnsupported, engineName(h.flags), engineName(engineFlags))
	}
	if h.mirror > 0 && (!canMirror || h.mirror%uint64(os.Getpagesize()) != 0 || h.fileSize%uint64(os.Getpagesize()) != 0) {
		return fmt.Errorf("%w: it needs its last %d bytes mapped twice", ErrUnsupported, h.mirror)
	}
	if boot := bootID(); !anyBoot && boot != h.boot && boot != [16]byte{} && h.boot != [16]byte{} {
		return ErrRebooted
	}
	return nil
}

func engineName(flags uint32) string {
	if flags&flagFlock != 0 {
		return "lock files (the portable engine)"
	}
	return "OFD locks (the Linux engine)"
}
