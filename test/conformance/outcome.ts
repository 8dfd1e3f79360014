/** What a test is, how it fails, and what came of it. */
import { EVIDENCE_CHARS } from './limits.ts';
import type { Fixture } from './fixture.ts';
import type { TestContext } from './driver.ts';

export type Group = 'Required' | 'Optional';

export interface ConformanceTest {
  /** Of shared facts, section 9: C-R01 ... C-O13. */
  readonly id: string;
  readonly title: string;
  readonly group: Group;
  /** Besides the group, which is a label too. */
  readonly labels: readonly string[];
  /** Fewer clusters than this: skipped. */
  readonly clusters: 1 | 2;
  /** The part of KEP-1645 that the test holds. */
  readonly ref: string;
  /** What stands in the first cluster when `run` begins. */
  readonly fixture: Fixture;
  run(context: TestContext): Promise<void>;
}

export interface TestResult {
  readonly test: ConformanceTest;
  readonly outcome: 'passed' | 'failed' | 'skipped';
  /** False when the API's contract was broken for certain; a test may fail with this true, and then its verdict is "Unknown". */
  readonly conformant: boolean;
  /** Why it failed or was skipped; '' when it passed. */
  readonly message: string;
  readonly durationMs: number;
}

/** An assertion that did not hold. With a non-conformance text the implementation is at fault; without one it may be the cluster. */
export class TestFailure extends Error {
  override readonly name = 'TestFailure';
  readonly nonConformance: string;

  constructor(message: string, nonConformance = '') {
    super(message);
    this.nonConformance = nonConformance;
  }
}

/** The run was stopped by its user: not a failure of anything. */
export class Interrupted extends Error {
  override readonly name = 'Interrupted';

  constructor() {
    super('the run was interrupted');
  }
}

/** Text of a pod or a server, fit for a terminal: one line, no control characters, bounded. */
export function toEvidence(text: string, charsMax = EVIDENCE_CHARS): string {
  const line = text
    .replaceAll('\r', '')
    .replaceAll('\n', ' | ')
    .replace(/[^\P{C}\t]/gu, '?');
  return line.length > charsMax ? `${line.slice(0, charsMax)}...` : line;
}

/** The message of anything thrown, with the cause that fetch hides. */
export function toMessage(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  return error.cause instanceof Error && error.message === 'fetch failed' ? error.cause.message : error.message;
}
