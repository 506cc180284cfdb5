package process

// OOMCount finds the number in the kernel's text.
var OOMCount = oomCount

// QuotaOf finds the number of processors in the words of cpu.max.
var QuotaOf = quotaOf
