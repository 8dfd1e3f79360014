/**
 * Answers in ClusterLink's form, byte by byte what Go's and Envoy's clients take: a length always, and no body. Why somebody is
 * refused is no more than the status; the reason stays here (DESIGN §6). Pure.
 */
import { encodeResponseHead, type HeadFields } from '../wire/head.ts';

/** 404 also where the caller must not know that the export is there. */
export type AnswerStatus = 200 | 400 | 403 | 404 | 413 | 500 | 503 | 508;

const PHRASES: Readonly<Record<AnswerStatus, string>> = {
  200: 'OK',
  400: 'Bad Request',
  403: 'Forbidden',
  404: 'Not Found',
  413: 'Content Too Large',
  500: 'Internal Server Error',
  503: 'Service Unavailable',
  508: 'Loop Detected',
};

/**
 * To CONNECT, once the service is connected. Nothing else may be in it, and nothing beside it in its TLS record: Go's importers
 * take a length for the end of the answer, and lose what comes along with it.
 */
export const CONNECTED = encodeResponseHead({ status: 200, reason: PHRASES[200], fields: new Map() });

/** `keep`: the next request may come over the same connection. */
export type AfterAnswer = 'keep' | 'close';

/** v0.4.1 takes a peer without the field for one that is not there, so it is there without labels too. */
export function answerHealthz(labels: Readonly<Record<string, string>>, after: AfterAnswer): Buffer {
  const text = Buffer.from(JSON.stringify(labels)).toString('base64');
  return encodeAnswer(200, after, new Map([['ClusterLinkPeerLabels', text]]));
}

export function answerGranted(token: string, after: AfterAnswer): Buffer {
  return encodeAnswer(200, after, new Map([['x-access-token', token]]));
}

export function answerRefused(status: Exclude<AnswerStatus, 200>, after: AfterAnswer): Buffer {
  return encodeAnswer(status, after, new Map());
}

function encodeAnswer(status: AnswerStatus, after: AfterAnswer, own: HeadFields): Buffer {
  const fields = new Map([...own, ['Content-Length', '0']]);
  if (after === 'close') fields.set('Connection', 'close');
  return encodeResponseHead({ status, reason: PHRASES[status], fields });
}
