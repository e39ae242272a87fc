// Opens the doors of `serve.dnsbl` and `serve.policy` over the daemon's list. The thread that
// answers there is in `serve/lookup`.

import type { Snapshot } from '../block/rows.js';
import type { Config } from '../config.js';
import type { LookupDesk } from '../serve/lookup/desk.js';
import type { LookupDoors } from '../serve/lookup/order.js';
import { CommandError } from './fail.js';

/** Null where neither is configured. Throws a `CommandError` where a port cannot be had. */
export async function openLookup(
  config: Config,
  snapshot: () => Snapshot,
  trouble: (message: string) => void,
): Promise<LookupDesk | null> {
  const { serve } = config;
  if (serve.dnsbl === undefined && serve.policy === undefined) return null;
  const { LookupDesk } = await import('../serve/lookup/desk.js');
  const desk = new LookupDesk({ doors: doorsOf(config), snapshot, trouble });
  try {
    await desk.open();
  } catch (error) {
    const { message } = error as Error;
    throw new CommandError(
      `serve.dnsbl, serve.policy: cannot listen (${message}); check the ports`,
    );
  }
  return desk;
}

function doorsOf({ serve, dnsbl, policy, appeal }: Config): LookupDoors {
  const { zone } = serve;
  return {
    dnsbl:
      serve.dnsbl === undefined || zone === undefined
        ? null
        : {
            listener: listenerOf(serve.dnsbl),
            zone: { zone, nameServers: dnsbl.name_servers, appeal },
            rate: dnsbl.rate_per_s,
            trusted: dnsbl.trusted,
          },
    policy:
      serve.policy === undefined
        ? null
        : {
            listener: listenerOf(serve.policy),
            appeal,
            limit: { rate: policy.rate_per_hour, burst: policy.burst },
          },
  };
}

/** Of 127.0.0.1:8253 or [::1]:8253. */
function listenerOf(text: string): { readonly host: string; readonly port: number } {
  const at = text.lastIndexOf(':');
  const host = text.slice(0, at).replace(/^\[(.*)\]$/, '$1');
  return { host, port: Number(text.slice(at + 1)) };
}
