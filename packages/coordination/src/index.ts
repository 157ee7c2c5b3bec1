/** The server engine: tasks, rounds, selection, journal. No input or output. */
export {};
