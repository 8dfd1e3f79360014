import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import type { Context } from 'mocha';
import type { FamiliesReport, Reached } from '#test/support/families-process.ts';
import { requireTool } from '#test/support/tools.ts';
import { withoutIpv6 } from '#test/support/without-ipv6.ts';

const run = promisify(execFile);
const PROGRAM = fileURLToPath(new URL('../support/families-process.ts', import.meta.url));
const TIMEOUT_MS = 30_000;
/** Callers of IPv4 are seen as such, and not as `::ffff:127.0.0.1`. */
const BY_IPV4: Reached = { udp: '1', tcp: '200', http: '200', gateway: '127.0.0.1' };
const BY_IPV6: Reached = { ...BY_IPV4, gateway: '::1' };

/** A network of its own, with nothing but a loopback interface; `prepare` is a shell's. */
function inNetwork(context: Context, prepare: string): readonly string[] {
  const rights = process.getuid?.() === 0 ? [] : ['--user', '--map-root-user'];
  requireTool(context, 'ip');
  const script = `${prepare}; exec "$0" "$@"`;
  return [requireTool(context, 'unshare'), ...rights, '--net', 'sh', '-ec', script, process.execPath, PROGRAM];
}

async function reportOf([command = '', ...args]: readonly string[]): Promise<FamiliesReport> {
  const { stdout } = await run(command, args, { timeout: TIMEOUT_MS });
  return JSON.parse(stdout) as FamiliesReport;
}

describe('listening at [::], as the manifests do', () => {
  it('both families → one socket serves both, for DNS over UDP and TCP, for HTTP and for peers', async function () {
    const report = await reportOf(inNetwork(this, 'ip link set lo up'));
    assert.deepEqual(report, { dns: '::', http: '::', gateway: '::', byIpv4: BY_IPV4, byIpv6: BY_IPV6 });
  });

  it('IPv6 switched off (disable_ipv6) → IPv4 is served', async function () {
    const off = 'for each in all default lo; do echo 1 > /proc/sys/net/ipv6/conf/$each/disable_ipv6; done';
    const { byIpv4, byIpv6 } = await reportOf(inNetwork(this, `ip link set lo up; ${off}`));
    assert.deepEqual(byIpv4, BY_IPV4);
    assert.equal(byIpv6.http, 'EADDRNOTAVAIL');
  });

  it('no IPv4 address → IPv6 is served', async function () {
    const { byIpv4, byIpv6 } = await reportOf(inNetwork(this, 'ip link set lo up; ip addr del 127.0.0.1/8 dev lo'));
    assert.deepEqual(byIpv6, BY_IPV6);
    assert.equal(byIpv4.http, 'ENETUNREACH');
  });

  it('a kernel without IPv6 (ipv6.disable=1) → 0.0.0.0 instead, and IPv4 is served', async function () {
    const report = await reportOf(withoutIpv6(this, [process.execPath, PROGRAM]));
    const { dns, http, gateway, byIpv4 } = report;
    assert.deepEqual([dns, http, gateway, byIpv4], ['0.0.0.0', '0.0.0.0', '0.0.0.0', BY_IPV4]);
    assert.equal(report.byIpv6.http, 'EAFNOSUPPORT');
  });
});
