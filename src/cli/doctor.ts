// `mailweir doctor`: looks at this machine as a sensor, and with an interface at that and at what
// comes in there, and says what to change. It changes nothing.

import { availableParallelism } from 'node:os';
import { checkInterface, checkMachine, type Finding } from '../capture/check.js';
import type { Source } from '../capture/source.js';
import { type Config, withCapture } from '../config.js';
import { Exit } from './fail.js';
import { type CommonOptions, settings } from './words.js';

export interface DoctorOptions extends CommonOptions {
  readonly interface?: string;
  readonly seconds: number;
}

/** The oldest Node.js of package.json. */
const oldestNode = [20, 19] as const;

/** Prints what it looked at; status 3 when something should be changed. */
export async function doctor(options: DoctorOptions): Promise<number> {
  const config = await settings(options.config, undefined);
  let found = 0;
  const tell = (findings: readonly Finding[]): void => {
    for (const { what, mend } of findings) {
      process.stdout.write(mend === undefined ? `ok     ${what}\n` : `found  ${what}\n`);
      if (mend !== undefined) process.stdout.write(`       ${mend}\n`);
      if (mend !== undefined) found += 1;
    }
  };
  tell(checkMachine({ ...demand(config), node: oldestNode }));
  const name = options.interface;
  if (name !== undefined) {
    const state = checkInterface(name, config.capture.promiscuous);
    tell(state);
    if (state.length > 1 && options.seconds > 0) tell(await listen(config, name, options.seconds));
  }
  return found > 0 ? Exit.found : Exit.done;
}

function demand(config: Config) {
  const { workers: wanted, ring, source, interface: names } = config.capture;
  const workers = wanted === 'auto' ? Math.max(1, availableParallelism() - 1) : wanted;
  const rings = source === 'pcap' ? 0 : workers * ring.bytes * Math.max(1, names.length);
  // 150 MiB for the program itself.
  const bytes = config.flow.memory_bytes + rings + 150 * 1024 * 1024;
  return { bytes, workers, source };
}

/** What comes in, whatever its ports: the filter of the daemon would hide what is wrong. */
async function listen(config: Config, name: string, seconds: number): Promise<Finding[]> {
  const { observe } = await import('./observe.js');
  const { pino } = await import('pino');
  const { openLive } = await import('../capture/live.js');
  const { openLivePlans } = await import('./live.js');
  const quiet = pino({ level: 'silent' });
  let source: Source | undefined;
  try {
    const all = withCapture(config, { ports: 'any', workers: 1 });
    const { plans } = openLivePlans(all.capture, [name], quiet);
    [source] = openLive(plans[0]!).sources;
    return await observe(source!, name, seconds, config);
  } catch (error) {
    source?.close();
    // Such a message says what is wrong and, behind a semicolon, what to do.
    const [what = '', ...rest] = (error as Error).message.split('; ');
    return [{ what, mend: rest.join('; ') || 'see above' }];
  }
}
