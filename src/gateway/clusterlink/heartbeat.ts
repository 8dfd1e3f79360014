/** Asks a gateway for a sign of life in time, and says when it has given none. */
import { nextStep, patienceMs, smooth, type Pulse } from './pulse.ts';

export interface HeartbeatOptions {
  readonly now: () => number;
  /** How far away the gateway was when it was found. */
  readonly rttMs: number;
  /** Sends one heartbeat, and says `heard` when it is answered well. Never rejects. */
  ask(): Promise<void>;
  /** Called at most once. */
  onSilent(silentMs: number): void;
}

export interface Heartbeat {
  readonly rttMs: number;
  /** Since it was heard last. */
  readonly silentMs: number;
  /** How long an answer may take. */
  readonly patienceMs: number;
  /** Any answer shows that it lives; `sampleMs` where it shows how far away it is, too. */
  heard(sampleMs?: number): void;
  /** There is reason to doubt that it lives: it is asked now, unless it is being asked. */
  doubt(): void;
  stop(): void;
}

export function startHeartbeat({ now, rttMs, ask, onSilent }: HeartbeatOptions): Heartbeat {
  let pulse: Pulse = { answeredMs: now(), unansweredMs: undefined, askedMs: now(), rttMs };
  let timer: NodeJS.Timeout | undefined;
  let verification: NodeJS.Immediate | undefined;
  let hasStopped = false;

  function schedule(): void {
    clearTimeout(timer);
    if (hasStopped) return;
    const next = nextStep(pulse, now());
    timer = setTimeout(check, next.step === 'wait' ? Math.max(1, Math.ceil(next.waitMs)) : 1);
  }

  function check(): void {
    const { step } = nextStep(pulse, now());
    // Timers run before sockets are read: after a stall of this process its answer may be waiting in the kernel.
    if (step === 'lost') verification = setImmediate(verify);
    else if (step === 'ask') beat();
    else schedule();
  }

  function verify(): void {
    if (nextStep(pulse, now()).step !== 'lost') return schedule();
    stop();
    onSilent(Math.round(now() - pulse.answeredMs));
  }

  function beat(): void {
    const askedMs = now();
    pulse = { ...pulse, askedMs, unansweredMs: pulse.unansweredMs ?? askedMs };
    schedule();
    void ask().then(schedule);
  }

  function stop(): void {
    hasStopped = true;
    clearTimeout(timer);
    clearImmediate(verification);
  }

  schedule();
  return {
    get rttMs() {
      return pulse.rttMs;
    },
    get silentMs() {
      return now() - pulse.answeredMs;
    },
    get patienceMs() {
      return patienceMs(pulse.rttMs);
    },
    heard(sampleMs) {
      const rtt = sampleMs === undefined ? pulse.rttMs : smooth(pulse.rttMs, sampleMs);
      pulse = { answeredMs: now(), unansweredMs: undefined, askedMs: pulse.askedMs, rttMs: rtt };
    },
    doubt() {
      if (!hasStopped && pulse.unansweredMs === undefined) beat();
    },
    stop,
  };
}
