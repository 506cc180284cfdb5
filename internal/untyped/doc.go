// Package untyped shows and makes the encodings of package codec for those who have
// nothing but the text of the type, as it stands in shared files: shmctl.
//
// # Model
//
// A [Type] is made of such a text. Strings and byte slices are text; the memory of plain
// types and CBOR are shown as JSON, and made of it; what the text does not tell enough
// about (types that encode themselves, plain types with parts whose size their name
// doesn't say, texts that were shortened) is hex.
//
// JSON of a plain value has an object for a struct, with the fields in their order; a
// string of hex for an array of bytes; [re, im] for a complex number; and "NaN",
// "+Inf" and "-Inf" for what JSON has no numbers for. JSON of CBOR has strings
// of hex for byte strings, texts for times, and, for a map whose keys are neither all
// texts nor all integers, a list of pairs.
//
// # Crash safety
//
// Bytes and texts may be anything. The outcome is hex, or an error.
//
// # Memory model
//
// Nothing is shared. Bytes are to be copied out of shared memory before they are shown.
//
// # Limits
//
// CBOR that is made of JSON has no byte strings and no times, and can't be compared with
// the program's own type: who decodes it there may get an error.
package untyped
