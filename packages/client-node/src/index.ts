/** The client SDK for Node. */
export {};
