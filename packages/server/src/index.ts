/** HTTP and socket.io around the coordination engine. */
export {};
