/** The tutti command. */
export {};
