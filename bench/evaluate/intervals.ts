// Uncertainty of counts, and middles of lists. Pure arithmetic.

/** Wilson's 95 % interval of a share (E. B. Wilson, 1927). */
export function wilson(hits: number, all: number): readonly [number, number] {
  if (all === 0) return [0, 1];
  const z = 1.959964;
  const p = hits / all;
  const middle = p + (z * z) / (2 * all);
  const half = z * Math.sqrt((p * (1 - p)) / all + (z * z) / (4 * all * all));
  const scale = 1 + (z * z) / all;
  return [Math.max(0, (middle - half) / scale), Math.min(1, (middle + half) / scale)];
}

/**
 * One-sided 95 % upper bound of the expected number of events where `seen` were counted (exact,
 * Poisson). Of none it is 3.0: the rule of three.
 */
export function upperBound(seen: number): number {
  let low = seen;
  let high = seen + 10 + 5 * Math.sqrt(seen + 1);
  for (let step = 0; step < 60; step++) {
    const middle = (low + high) / 2;
    if (atMost(seen, middle) > 0.05) low = middle;
    else high = middle;
  }
  return high;
}

/** Probability of at most `seen` events where `mean` are expected. */
function atMost(seen: number, mean: number): number {
  let term = Math.exp(-mean);
  let sum = term;
  for (let k = 1; k <= seen; k++) {
    term *= mean / k;
    sum += term;
  }
  return sum;
}

/** Value below which a share of the list lies; NaN of an empty list. */
export function quantile(values: readonly number[], share: number): number {
  const sorted = [...values].sort((one, other) => one - other);
  return sorted[Math.min(sorted.length - 1, Math.floor(share * sorted.length))] ?? Number.NaN;
}

/** Precision where one source in `1 / prevalence` is bad, from the two rates. */
export function precisionAt(prevalence: number, recall: number, falseShare: number): number {
  const right = recall * prevalence;
  const wrong = falseShare * (1 - prevalence);
  return right + wrong === 0 ? Number.NaN : right / (right + wrong);
}
