// Package cells keeps values of one fixed size in shared memory, side by side and in place, so that
// nobody ever sees half of one, and no death leaves half of one behind.
//
// # Model
//
// Cells of 1, 2, 4 or 8 bytes are narrow: they are read and changed by atomic operations of the
// machine, alone or as part of the four bytes around them. All others are wide: a writer, one at a
// time, first puts the new value into a journal, then commits it by one store that says for which
// cell it is, copies it to its place, and says that it is there. Who reads a cell takes the
// journal's value while it is that cell's, and else the cell's own, and again if there was another
// commit meanwhile.
//
// # Crash safety
//
// A narrow cell changes by one store. A process that dies while it writes a wide one holds the writers'
// lock; [Recover] then looks whether the value was committed, and if so brings it to its place, which
// may be repeated. Who reads needs no lock and is delayed by nobody, be they stopped; a
// stopped writer of a wide cell keeps other writers of wide cells of the same object waiting.
//
// # Memory model
//
// What happens before a cell is changed is visible to whoever reads that value. Changes of one
// cell are in one order for all. Several cells are not read, or changed, at one moment.
package cells
