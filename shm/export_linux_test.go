package shm

// FilesystemError judges a file system by its magic number.
func FilesystemError(magic int64) error { return filesystemError(magic) }
