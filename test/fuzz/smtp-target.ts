// The SMTP stage alone, called as the flow stage may call it: bytes, gaps and shoves in any order
// that its interface allows. An input is a list of steps, one JSON array a line:
//
//   ["open", mailPort, starts]     first; bits of starts as in `StreamSink.open`
//   ["c" | "s", text, behind]      bytes of a side as Latin-1; it acknowledges `behind` bytes less
//                                  than what the other side was delivered
//   ["cgap" | "sgap", length]      bytes lost; 0 where the length is not known
//   ["cforce" | "sforce"]          the other side will not move
//   ["end", how]                   last; as in `FlowEnd`

import { Chunk, Connection, Dir } from '../../src/flow/sink.js';
import type { Random } from '../../src/lib/random.js';
import type { Smtp } from '../../src/smtp/smtp.js';
import { checkEvents } from './events.js';
import { promiseEmpty, type Room, smtpStage } from './line.js';
import { mutated, reordered } from './mutate.js';
import { clientTalk, sensible, serverTalk } from './talk.js';
import { pick, promise, type Target } from './target.js';

type Step = [string, ...(string | number | boolean)[]];

const epoch = 1_700_000_000_000_000;

export const smtpTarget: Target = {
  name: 'smtp',
  extension: 'ndjson',
  make: (random) => bytesOf(steps(random)),
  run(input) {
    const list = stepsOf(input);
    for (const room of ['wide', 'tight'] as const) play(list, room);
  },
  parts: (input) =>
    stepsOf(input)
      .flatMap(linewise)
      .map((step) => Buffer.from(JSON.stringify(step))),
  whole: (parts) => Buffer.concat(parts.flatMap((part) => [part, Buffer.from('\n')])),
};

/** A step for each line that is said, or for each piece of a long one. */
function linewise([what, text, behind]: Step): Step[] {
  if (typeof text !== 'string')
    return [[what, ...[text, behind].filter((each) => each !== undefined)] as Step];
  const pieces = text.match(/[^\n]{1,200}\n?|\n/g) ?? [];
  return pieces.map((piece): Step => [what, piece, behind ?? 0]);
}

function bytesOf(list: readonly Step[]): Buffer {
  return Buffer.from(list.map((step) => `${JSON.stringify(step)}\n`).join(''));
}

function stepsOf(input: Buffer): Step[] {
  const lines = input.toString('utf8').split('\n');
  return lines.filter((line) => line !== '').map((line) => JSON.parse(line) as Step);
}

/** Mostly both sides, talking to each other; sometimes one alone. */
function steps(random: Random): Step[] {
  const list: Step[] = [['open', random.chance(0.8), pick(random, [3, 3, 3, 0, 1, 2])]];
  const sides = pick(random, ['cs', 'cs', 'cs', 'cs', 'c', 's']);
  const losses = random.chance(0.4) ? 0.15 : 0;
  const said = random.chance(0.6) ? damaged(sensible(random), random) : wild(random);
  for (const [side, bytes] of said.filter(([each]) => sides.includes(each))) {
    if (random.chance(losses)) {
      list.push([`${side}gap`, random.chance(0.1) ? 0 : 1 + random.below(400)]);
    } else if (random.chance(0.03)) {
      list.push([`${side}force`]);
    }
    const size = random.chance(0.3) ? 1 + random.below(20) : bytes.length + 1;
    for (let at = 0; at < bytes.length; at += size) {
      const behind = random.chance(0.1) ? random.below(100) : 0;
      list.push([side, bytes.toString('latin1', at, at + size), behind]);
    }
  }
  list.push(['end', 1 + random.below(5)]);
  return list;
}

type Turn = ['c' | 's', Buffer];

function wild(random: Random): Turn[] {
  return Array.from({ length: 2 + random.below(30) }, (): Turn => {
    return random.chance(0.5) ? ['c', clientTalk(random)] : ['s', serverTalk(random)];
  });
}

/** Turns lost, doubled or moved, bytes changed, something else said in between. */
function damaged(turns: readonly Turn[], random: Random): Turn[] {
  const harm = pick(random, [0, 0.05, 0.2]);
  const moved = random.chance(0.5) ? reordered(turns, random) : turns;
  return moved.flatMap(([side, bytes]): Turn[] => {
    const turn: Turn = [side, random.chance(harm) ? mutated(bytes, random) : bytes];
    return random.chance(harm / 2) ? [...wild(random).slice(0, 2), turn] : [turn];
  });
}

/** What a stage was delivered and what it left to come again. */
class Player {
  readonly #smtp: Smtp;
  readonly #connection: Connection;
  readonly #chunk = new Chunk();
  readonly #seq = [1000, 0x7ffffff0];
  readonly #rest: Buffer[] = [Buffer.alloc(0), Buffer.alloc(0)];
  #wanted = true;
  #sides = 0;
  time = epoch;

  constructor(smtp: Smtp, session: number, connection: Connection) {
    this.#smtp = smtp;
    this.#connection = connection;
    this.#chunk.session = session;
  }

  say(dir: number, bytes: Buffer, behind: number): void {
    this.#sides |= 1 << dir;
    this.#connection.sides = this.#sides;
    this.#rest[dir] = Buffer.concat([this.#rest[dir]!, bytes]);
    this.#offer(dir, behind);
    this.#retry();
  }

  /** Bytes behind a gap come only when what stood before it was read. */
  gap(dir: number, missing: number): void {
    for (let n = 0; n < 8 && this.#rest[dir]!.length > 0; n++) this.force(dir);
    if (!this.#wanted || this.#rest[dir]!.length > 0) return;
    this.#fill(dir, 0);
    this.#chunk.missing = missing;
    this.#smtp.gap(this.#chunk);
    this.#seq[dir] = (this.#seq[dir]! + missing) | 0;
    this.#retry();
  }

  force(dir: number): void {
    if (!this.#wanted) return;
    this.#smtp.force(this.#chunk.session, dir);
    this.#retry();
  }

  /** As the flow stage does at the end: everything is read that can be. */
  drain(): void {
    for (let n = 0; n < 64; n++) {
      const dir = this.#rest[0]!.length > 0 ? Dir.client : Dir.server;
      if (!this.#wanted || this.#rest[dir]!.length === 0) return;
      this.force(dir);
    }
  }

  end(how: number): boolean {
    return this.#smtp.end(this.#chunk.session, how, this.time, this.#sides);
  }

  #retry(): void {
    let moved = true;
    while (moved) moved = this.#offer(Dir.client, 0) || this.#offer(Dir.server, 0);
  }

  /** True if the stage read some of what waits. */
  #offer(dir: number, behind: number): boolean {
    const bytes = this.#rest[dir]!;
    if (!this.#wanted || bytes.length === 0) return false;
    this.#fill(dir, behind);
    const area = Buffer.alloc(bytes.length + 12, 0x2e);
    bytes.copy(area, 3);
    this.#chunk.bytes = area;
    this.#chunk.from = 3;
    this.#chunk.to = 3 + bytes.length;
    const read = this.#smtp.data(this.#chunk);
    promise(read === -1 || (read >= 3 && read <= 3 + bytes.length), `data() gave ${read}`);
    promise(area.compare(bytes, 0, bytes.length, 3, 3 + bytes.length) === 0, 'bytes were changed');
    this.#wanted = read >= 0;
    if (read < 0) return false;
    this.#rest[dir] = bytes.subarray(read - 3);
    this.#seq[dir] = (this.#seq[dir]! + read - 3) | 0;
    return read > 3;
  }

  #fill(dir: number, behind: number): void {
    const chunk = this.#chunk;
    this.time += 1000;
    chunk.dir = dir;
    chunk.seq = this.#seq[dir]!;
    chunk.ack = (this.#seq[1 - dir]! - behind) | 0;
    chunk.time = this.time;
    chunk.sides = this.#sides;
    chunk.missing = 0;
  }
}

function play(list: readonly Step[], room: Room): void {
  const connection = Object.assign(new Connection(), {
    flowLow: 1,
    first: epoch,
    bytesToServer: 0,
    bytesToClient: 0,
  });
  const { smtp, rows, outputs } = smtpStage(room, () => connection);
  const [first] = list;
  if (first?.[0] !== 'open') return;
  const session = smtp.open(7, first[1] === true, Number(first[2]));
  promise(session >= 0, 'no room for a session');
  const player = new Player(smtp, session, connection);
  let how = 5;
  for (const [what, value, behind] of list.slice(1)) {
    const dir = what.startsWith('c') ? Dir.client : Dir.server;
    if (what === 'end') how = Number(value);
    else if (what.endsWith('gap')) player.gap(dir, Number(value));
    else if (what.endsWith('force')) player.force(dir);
    else player.say(dir, Buffer.from(String(value), 'latin1'), Number(behind));
  }
  player.drain();
  connection.last = player.time;
  const written = player.end(how);
  rows.flush();
  promise(written === (smtp.sessions === 1), 'end() does not say whether it wrote a record');
  promiseEmpty(smtp.store);
  if (written) checkEvents(outputs.events, { first: epoch, last: player.time, disorder: false });
}
