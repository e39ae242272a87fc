// An appeal: somebody says that an entry is wrong, and a clock runs (detection.md 5.3). A person
// decides within a day; after seven days the entry is released by itself. What a stranger wrote is
// kept for the operator alone, and is in no list, event or audit record.

/** How an appeal stands. */
export type AppealState = 'open' | 'upheld' | 'released' | 'lapsed';

export interface Appeal {
  /** Id of the entry. */
  readonly id: string;
  readonly cidr: string;
  readonly rule: string;
  /** Microseconds since 1970: when it came, when it should and when it must be decided. */
  readonly filed: number;
  readonly due: number;
  readonly last: number;
  /**
   * - open: nobody decided yet
   * - upheld: a person looked, and the entry stays; it can be asked once more a day later
   * - released: a person let it go
   * - lapsed: the entry ended before anybody decided, or because nobody did in time
   */
  readonly state: AppealState;
  /** What the stranger said, and how to reach them; short texts. */
  readonly text: string;
  readonly contact: string;
  readonly decided: number | null;
  readonly by: string | null;
  readonly answer: string | null;
}

const day = 86_400 * 1e6;
/** A person answers within a day; after seven the entry goes by itself. */
export const appealDue = day;
export const appealLast = 7 * day;
/** After a refusal the same entry may be appealed again. */
export const appealAgain = day;
