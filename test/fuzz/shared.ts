// Where the two threads of a fuzzing run meet.

/** Words in front of the input in shared memory: runs so far, bytes of the input. */
export const headBytes = 8;
