// Words of the command line and what they mean. A word that cannot be used is said with its option
// and what would be right.

import { type Config, defaultConfig, loadConfig, withCapture } from '../config.js';
import { CommandError, Exit } from './fail.js';

/** Options that `replay` and `run` have in common. */
export interface CommonOptions {
  readonly config?: string;
  readonly output?: string;
  readonly debug?: boolean;
}

/** `25,587` as numbers, or `any`. */
export function portList(text: string): readonly number[] | 'any' {
  if (text === 'any') return 'any';
  const ports = text.split(',').map((word) => wholeNumber(word.trim()));
  if (ports.some((port) => !(port >= 1 && port <= 65_535))) {
    throw usage(`--ports "${text}": give TCP ports such as 25,587 (1 to 65535), or any`);
  }
  return [...new Set(ports)];
}

export function workerCount(text: string): number {
  const workers = wholeNumber(text);
  if (workers >= 1 && workers <= 256) return workers;
  throw usage(`--workers "${text}": give a whole number from 1 to 256`);
}

/** A number from 1 on. */
export function wholeOver0(option: string): (text: string) => number {
  return (text) => {
    const number = wholeNumber(text);
    if (number >= 1) return number;
    throw usage(`${option} "${text}": give a whole number from 1`);
  };
}

export function secondCount(text: string): number {
  const seconds = wholeNumber(text);
  if (seconds >= 0 && seconds <= 3600) return seconds;
  throw usage(`--seconds "${text}": give a whole number from 0 to 3600`);
}

/** Times real time, such as 1 or 0.5. */
export function speedFactor(text: string): number {
  const speed = /^\d+(\.\d+)?$/.test(text) ? Number(text) : Number.NaN;
  if (speed > 0 && speed <= 1e6) return speed;
  throw usage(`--speed "${text}": give a number above 0, such as 1 for real time or 10`);
}

/** One of a few words. */
export function oneOf<T extends string>(option: string, words: readonly T[]): (text: string) => T {
  return (text) => {
    const word = words.find((known) => known === text);
    if (word !== undefined) return word;
    throw usage(`${option} "${text}": give ${words.join(' or ')}`);
  };
}

export function usage(message: string): CommandError {
  return new CommandError(message, Exit.usage);
}

function wholeNumber(text: string): number {
  return /^\d{1,9}$/.test(text) ? Number(text) : Number.NaN;
}

/** The configuration file, or what an empty one means, with the command line's own settings. */
export async function settings(
  file: string | undefined,
  ports: readonly number[] | 'any' | undefined,
): Promise<Config> {
  const config = file === undefined ? defaultConfig() : await loadConfig(file);
  return ports === undefined ? config : withCapture(config, { ports });
}
