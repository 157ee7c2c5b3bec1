/**
 * Ranking metrics of one held-out item, by its rank from 0 in the list, best first. Means over people are taken elsewhere.
 * One item is relevant, so recall equals the hit rate and precision is a k-th of it; they are there because people look
 * for them.
 */

/**
 * HR@k = 1 where rank < k, else 0.
 * @param rank from 0; infinity where the item is not in the list.
 * @param k length of the list, at least 1; 0 gives 0.
 * @see Deshpande & Karypis, Item-Based Top-N Recommendation Algorithms, TOIS 2004, §6.1.2.
 */
export function hitRate(rank: number, k: number): number {
  return rank < k ? 1 : 0;
}

/**
 * NDCG@k = log 2 / log(rank + 2) where rank < k, else 0: the gain of one relevant item, over the ideal gain, which is 1.
 * First place gives 1, second 0.631, tenth 0.289.
 * @see Järvelin & Kekäläinen, Cumulated Gain-Based Evaluation of IR Techniques, TOIS 2002; He et al. 2017, §4.1.
 */
export function ndcg(rank: number, k: number): number {
  return rank < k ? Math.LN2 / Math.log(rank + 2) : 0;
}

/** Recall@k = relevant items among the first k / relevant items; one is relevant, so this is the hit rate. */
export function recall(rank: number, k: number): number {
  return hitRate(rank, k);
}

/** Precision@k = relevant items among the first k / k; never above 1/k here. */
export function precision(rank: number, k: number): number {
  return rank < k ? 1 / k : 0;
}

/**
 * Reciprocal rank = 1 / (rank + 1), over the whole list: not cut off at k.
 * @see Voorhees, The TREC-8 Question Answering Track Report, 1999.
 */
export function mrr(rank: number): number {
  return 1 / (rank + 1);
}

/** MRR@k = 1 / (rank + 1) where rank < k, else 0: the reciprocal rank within the list. */
export function mrrAt(rank: number, k: number): number {
  return rank < k ? mrr(rank) : 0;
}

/**
 * F1@k = 2·precision·recall / (precision + recall), 0 where both are 0. With one relevant item a hit gives 2 / (k + 1): never more,
 * and an ideal list reaches 1 only for k = 1.
 * @see van Rijsbergen, Information Retrieval, 2nd edition, 1979, chapter 7.
 */
export function f1(rank: number, k: number): number {
  return rank < k ? 2 / (k + 1) : 0;
}
