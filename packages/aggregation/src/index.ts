/** Strategies that turn a mean update into the next model: FedAvg and its kin. */
export {};
