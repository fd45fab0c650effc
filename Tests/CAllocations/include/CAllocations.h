// Counts what a thread takes from the heap, for tests that hold a path to taking nothing.
#pragma once

// Begins to count at 0 for the calling thread.
void weft_allocations_begin(void);

// Ends that. How often the thread asked for memory since: malloc, calloc, realloc, aligned_alloc, posix_memalign.
unsigned long weft_allocations_end(void);
