/** What an exporter writes, byte by byte, in the spelling of each data plane (§3.2, §3.6, §3.8). */
import type { Flavour } from './flavour.ts';
import { writeHead } from './head.ts';

const TEXTS: Readonly<Record<number, string>> = {
  200: 'OK',
  400: 'Bad Request',
  403: 'Forbidden',
  404: 'Not Found',
  413: 'Payload Too Large',
  426: 'Upgrade Required',
  431: 'Request Header Fields Too Large',
  500: 'Internal Server Error',
  503: 'Service Unavailable',
};

export interface Answer {
  readonly status: number;
  readonly field?: readonly [name: string, value: string];
  /** For people; nobody parses it. */
  readonly text?: string;
  readonly close?: 'after';
}

export function encodeAnswer(flavour: Flavour, { status, field, text = '', close }: Answer): string {
  const length = String(Buffer.byteLength(text));
  const date = new Date().toUTCString();
  const given = field === undefined ? [] : [field];
  if (flavour.name === 'go') {
    const type = [
      ['Content-Type', 'text/plain; charset=utf-8'],
      ['X-Content-Type-Options', 'nosniff'],
    ] as const;
    const end = close === undefined ? [] : ([['Connection', 'close']] as const);
    const fields = [
      ...given,
      ...(text === '' ? [] : type),
      ['Date', date],
      ['Content-Length', length],
      ...end,
    ] as const;
    return writeHead(statusLine(status), fields) + text;
  }
  const body = [
    ['content-length', length],
    ['content-type', 'text/plain'],
  ] as const;
  const end = close === undefined ? [] : ([['connection', 'close']] as const);
  const dated = [['date', date], ['server', 'envoy'], ...end] as const;
  const spelled = given.map(([name, value]) => [name.toLowerCase(), value] as const);
  // Envoy puts the length of no body behind everything else.
  const fields =
    text === '' ? [...spelled, ...dated, ['content-length', '0'] as const] : [...spelled, ...body, ...dated];
  return writeHead(statusLine(status), fields) + text;
}

/** To what is no request, or too much of one; then the connection is closed. */
export function encodeEarlyRefusal(flavour: Flavour, status: number): string {
  const text = TEXTS[status] ?? '';
  if (flavour.name === 'envoy') return encodeAnswer(flavour, { status, text, close: 'after' });
  const fields = [
    ['Content-Type', 'text/plain; charset=utf-8'],
    ['Connection', 'close'],
  ] as const;
  return `${writeHead(statusLine(status), fields)}${status} ${text}`;
}

/** The head behind which a tunnel begins: no length, no framing. */
export function encodeTunnelOpen(flavour: Flavour): string {
  if (flavour.name === 'go') return writeHead(statusLine(200), [['Content-Type', 'text/plain']]);
  return writeHead(statusLine(200), [
    ['date', new Date().toUTCString()],
    ['server', 'envoy'],
  ]);
}

function statusLine(status: number): string {
  return `HTTP/1.1 ${status} ${TEXTS[status] ?? ''}`;
}
