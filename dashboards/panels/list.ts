// Panels about the block list: what is on it, how it changes, whether it is enforced, how often it
// was wrong.

import { limits } from '../limits.js';
import { grown, most, mostBy, rate, share, sum, sumBy } from '../select.js';
import { bars, figure, graph } from '../style.js';

export const entriesNow = figure({
  title: 'On the list',
  description: 'Entries of the block list: limits, blocks, and what people allowed.',
  unit: 'short',
  queries: [['entries', sum('mailweir_list_entries')]],
  console: '/#/list',
});

export const leakingNow = figure({
  title: 'Leaking',
  description: 'Entries whose source still gets mail through at this tap. Zero is right.',
  unit: 'short',
  queries: [['leaking', sum('mailweir_enforce_entries', { state: 'leaking' })]],
  bad: 1,
  console: '/#/list',
});

export const enforcement = graph(
  {
    title: 'What the wire shows of the entries',
    description:
      'Enforced: attempts in vain only. Leaking: something got through. Unseen, quiet and ' +
      'unknown: this tap cannot tell, and nothing is claimed.',
    unit: 'short',
    queries: [['{{state}}', sumBy('state', 'mailweir_enforce_entries')]],
  },
  { stacked: true },
);

export const leakShare = figure({
  title: 'Gets through',
  description:
    'Share of what listed sources tried that got through, where this tap can see both. Zero is ' +
    'right, and nothing is shown where nobody can tell.',
  unit: 'percentunit',
  queries: [['leaks', most('mailweir_enforce_leak_ratio')]],
  warn: 0.01,
  bad: 0.1,
});

export const consumerLeaks = graph({
  title: 'Gets through, by consumer',
  description:
    'Share of what listed sources tried that got through since a consumer had their entries: who ' +
    'does not enforce.',
  unit: 'percentunit',
  queries: [['{{consumer}}', mostBy('consumer', 'mailweir_enforce_consumer_leak_ratio')]],
});

export const timeToEnforce = graph({
  title: 'From publishing to enforced',
  description: 'Time from publishing an entry to the last thing of its source that got through.',
  unit: 's',
  queries: [
    ['median', most('mailweir_enforce_time_to_enforce_median_seconds')],
    ['longest', most('mailweir_enforce_time_to_enforce_max_seconds')],
  ],
});

export const listChanges = graph({
  title: 'Changes of the list',
  description:
    'Entries added, ended in time, and released by people. A jump in added is an outbreak or a ' +
    'rule that misfires.',
  unit: 'ops',
  queries: [
    ['added', rate('mailweir_list_added_total')],
    ['expired', rate('mailweir_list_expired_total')],
    ['released', rate('mailweir_list_released_total')],
    ['wrong', rate('mailweir_list_wrong_total')],
  ],
});

const month = '30d';

export const wrongShare = figure({
  title: 'Wrong entries, 30 days',
  description:
    'Share of the entries of 30 days that people released as wrong. The budget is one in a ' +
    'thousand: above it, put the rule that they share back to observe.',
  unit: 'percentunit',
  queries: [
    [
      'wrong',
      share(grown(month, 'mailweir_list_wrong_total'), grown(month, 'mailweir_list_added_total')),
    ],
  ],
  warn: limits.wrong / 2,
  bad: limits.wrong,
});

export const appeals = figure({
  title: 'Appeals, 30 days',
  description: 'Appeals against entries. Each is to be decided within its time.',
  unit: 'short',
  queries: [['appeals', grown(month, 'mailweir_list_appeals_total')]],
  console: '/#/list',
});

export const outcomes = bars({
  title: 'How entries ended, 30 days',
  description: 'Ended in time, released by people, and those of them that were wrong.',
  unit: 'short',
  queries: [
    ['expired', grown(month, 'mailweir_list_expired_total')],
    ['released', grown(month, 'mailweir_list_released_total')],
    ['wrong', grown(month, 'mailweir_list_wrong_total')],
  ],
});

export const protectedRefused = figure({
  title: 'Protected, 30 days',
  description:
    'Entries that were refused because what they name is protected: register, allow-list.',
  unit: 'short',
  queries: [['refused', grown(month, 'mailweir_list_refused_protected_total')]],
});

export const notKept = figure({
  title: 'Changes lost',
  description: 'Changes of the list that could not be kept. Anything but zero: look at the disk.',
  unit: 'short',
  queries: [['lost', grown('24h', 'mailweir_list_dropped_total')]],
  bad: 1,
});

export const kernelOrders = graph({
  title: 'Rules in this kernel',
  description: 'Orders to nftables and those that failed, where the sensor enforces itself.',
  unit: 'ops',
  queries: [
    ['orders', rate('mailweir_nftables_orders_total')],
    ['failed', rate('mailweir_nftables_failed_total')],
  ],
});
