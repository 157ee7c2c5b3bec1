/** Every message that crosses a wire, decoded from unknown, numbered and versioned. */
export {};
