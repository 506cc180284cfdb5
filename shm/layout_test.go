package shm_test

import (
	"reflect"
	"testing"

	"github.com/shmkit/shmkit/shm"
)

// The file's layout is a contract with processes of other versions: FORMAT.md
// has the same numbers.
func TestLayout(t *testing.T) {
	check := func(typ reflect.Type, size uintptr, offsets map[string]uintptr) {
		if typ.Size() != size {
			t.Errorf("%v has %d bytes, not %d", typ, typ.Size(), size)
		}
		for i := range typ.NumField() {
			f := typ.Field(i)
			if want, ok := offsets[f.Name]; f.Name != "_" && (!ok || f.Offset != want) {
				t.Errorf("%v.%s is at %d, not %d", typ, f.Name, f.Offset, want)
			}
		}
	}
	check(shm.HeaderType, 512, map[string]uintptr{
		"magic": offMagic, "endian": offEndian, "version": offVersion, "flags": offFlags, "crc": 20, "fileSize": offFileSize,
		"slotOff": offSlotOff, "slotSize": offSlotSize, "slots": offSlots, "bodyOff": offBodyOff, "bodySize": offBodySize,
		"size": offSize, "mirror": offMirror, "created": 80, "layout": 88, "typeSum": 96, "typeLen": 104, "kind": 112,
		"id": 128, "boot": offBoot, "reserve": 160, "behind": 168, "typ": 256,
	})
	check(shm.SlotType, 512, map[string]uintptr{
		"state": 0, "generation": 8, "pid": 16, "start": 24, "pidNS": 32, "joined": 40, "command": 48, "counters": 128,
	})
	counters := map[shm.Counter]string{
		0: "puts", 1: "bytes-in", 2: "full-waits", 3: "put-wakes", 4: "aborts",
		16: "gets", 17: "bytes-out", 18: "empty-waits", 19: "get-wakes", 20: "redelivered", 21: "dead-letters",
		22: "discarded", 23: "recoveries", 24: "tasks-done",
	}
	for _, c := range shm.Counters() {
		if counters[c] != c.String() {
			t.Errorf("counter %d is %q, not %q", c, c, counters[c])
		}
		delete(counters, c)
	}
	if len(counters) > 0 {
		t.Errorf("counters that are gone: %v", counters)
	}
}
