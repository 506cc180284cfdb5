package main

import (
	"testing"

	"github.com/shmkit/shmkit/internal/mem"
)

// TestLayout pins the sizes by which ledger and job sheet are laid out. Lines
// that different processes write must not share a cache line.
func TestLayout(t *testing.T) {
	for _, s := range []struct {
		name      string
		got, want int
	}{
		{"ledgerHead", len(mem.BytesOf(new(ledgerHead))), ledgerHeadSize},
		{"seatLine", len(mem.BytesOf(new(seatLine))), seatLineSize},
		{"note", len(mem.BytesOf(new(note))), noteSize},
		{"sheetHead", len(mem.BytesOf(new(sheetHead))), sheetHeadSize},
		{"workerWill", len(mem.BytesOf(new(workerWill))), workerWillSize},
		{"sheetLine", len(mem.BytesOf(new(sheetLine))), sheetLineSize},
	} {
		if s.got != s.want {
			t.Errorf("%s has %d bytes, want %d", s.name, s.got, s.want)
		}
	}
	if ledgerHeadSize%128 != 0 || seatLineSize%128 != 0 {
		t.Error("lines are not multiples of 128 bytes")
	}
}

func TestNote(t *testing.T) {
	id := recordID{seat: 200, life: 1<<32 - 1, seq: seqMask}
	n := newNote(noteNacked, id, 64, abortedRecord)
	if n.kind() != noteNacked || n.id() != id || n.attempt() != 64 || n.recordKind() != abortedRecord {
		t.Errorf("%v %v %d %d", n.kind(), n.id(), n.attempt(), n.recordKind())
	}
	if noteKind(0).String() != "?" || noteTaken.String() != "taken" || noteTorn.String() != "torn" || (noteTorn+1).String() != "?" {
		t.Error("names of notes")
	}
}

func TestLastWill(t *testing.T) {
	var w lastWill
	if step, _, _ := w.read(); step != "" {
		t.Errorf("an unwritten will says %q", step)
	}
	w.write("ring.recover.requeue.poison", 12, 34)
	if step, when, others := w.read(); step != "ring.recover.requeue.poison" || when != 12 || others != 34 {
		t.Errorf("%q, %d, %d", step, when, others)
	}
}
