/** The sum without the summands: double masking, Shamir sharing, the phases of a secure sum. */
export {};
