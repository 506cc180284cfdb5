package process

// OOMCount finds the number in the kernel's text.
var OOMCount = oomCount
