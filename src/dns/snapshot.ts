/**
 * What the DNS responder knows of the world. Versioned and cloneable (no functions, no classes), so that it crosses to a worker
 * as it is: once whole, from then on what has changed.
 */

import type { ObjectKey } from '../api/object.ts';

export interface ZoneSnapshot {
  /** Counts what one feed has sent; becomes the SOA serial, modulo 2^32. */
  readonly version: number;
  /** Zones served, each with all services: `['clusterset.local']`. */
  readonly zones: readonly string[];
  readonly services: readonly ZoneService[];
}

export interface ZoneChange {
  readonly version: number;
  /** New ones, and those that differ, whole. */
  readonly services: readonly ZoneService[];
  readonly gone: readonly ObjectKey[];
}

export interface ZoneService extends ObjectKey {
  readonly type: 'ClusterSetIP' | 'Headless';
  /** Clusterset IPs, of either family. None: the name exists and has no address. */
  readonly ips: readonly string[];
  readonly ports: readonly ZonePort[];
  /** Headless only, ready ones only (DNS-04, DNS-20). None: the name does not exist (DNS-14). */
  readonly endpoints: readonly ZoneEndpoint[];
  /** Whole names, outside the zones, that are answered like the service: `db.corp.example`. */
  readonly aliases?: readonly string[];
}

export interface ZonePort {
  /** Empty for the one unnamed port of a service. */
  readonly name: string;
  readonly protocol: 'TCP' | 'UDP' | 'SCTP';
  /** The port that clients have to dial: where a listener was remapped, not the port of the import. */
  readonly port: number;
}

export interface ZoneEndpoint {
  /** The cluster that the endpoint is in (DNS-22). */
  readonly peer: string;
  /** Empty where the endpoint has none: its first address makes one (DNS-21). */
  readonly hostname: string;
  readonly addresses: readonly string[];
  /** Where they differ from the service's. */
  readonly ports?: readonly ZonePort[];
}
