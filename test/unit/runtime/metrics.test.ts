import assert from 'node:assert/strict';
import { makeMetrics } from '#src/runtime/metrics.ts';

describe('makeMetrics', () => {
  it('every metric → our prefix and a help text that is a sentence', async () => {
    const text = await makeMetrics({ version: '1.2.3' }).expose();
    const names = [...text.matchAll(/^# TYPE (\S+)/gm)].map(([, name]) => name);
    assert.deepEqual(names.sort(), [
      'clusterlink_mcs_buffered_bytes',
      'clusterlink_mcs_buffered_bytes_process',
      'clusterlink_mcs_buffered_bytes_process_max',
      'clusterlink_mcs_build_info',
      'clusterlink_mcs_bytes_total',
      'clusterlink_mcs_certificate_expiry_seconds',
      'clusterlink_mcs_certificate_revoked',
      'clusterlink_mcs_client_addresses_visible',
      'clusterlink_mcs_connections_early_total',
      'clusterlink_mcs_connections_open',
      'clusterlink_mcs_connections_total',
      'clusterlink_mcs_crl_next_update_seconds',
      'clusterlink_mcs_dns_behind_seconds',
      'clusterlink_mcs_dns_dropped_total',
      'clusterlink_mcs_dns_queries_total',
      'clusterlink_mcs_fast_path',
      'clusterlink_mcs_handshakes_refused_total',
      'clusterlink_mcs_import_without_source',
      'clusterlink_mcs_limit_refusals_total',
      'clusterlink_mcs_limit_used_ratio',
      'clusterlink_mcs_peer_certificate_expiry_timestamp_seconds',
      'clusterlink_mcs_reconcile_seconds',
      'clusterlink_mcs_reconcile_total',
      'clusterlink_mcs_records_confirmed_timestamp_seconds',
      'clusterlink_mcs_records_held',
      'clusterlink_mcs_sessions',
      'clusterlink_mcs_snapshot_version',
      'clusterlink_mcs_sources_ejected_total',
      'clusterlink_mcs_store_lists_total',
      'clusterlink_mcs_store_problems',
      'clusterlink_mcs_store_read_timestamp_seconds',
      'clusterlink_mcs_store_watches_total',
      'clusterlink_mcs_store_writes_total',
      'clusterlink_mcs_worker_restarts_total',
      'clusterlink_mcs_workers',
    ]);
    for (const name of names) assert.match(text, new RegExp(`^# HELP ${name} [A-Z].*\\.$`, 'm'));
    assert.match(text, /clusterlink_mcs_build_info\{version="1\.2\.3",node="26\.\d+\.\d+"\} 1/);
  });

  it('the name of the peer → in build_info, so that scrapes of several peers can be told apart', async () => {
    assert.match(await makeMetrics({ version: '1', self: 'east' }).expose(), /build_info\{.*self="east"\} 1/);
  });

  it('a process without a certificate → no expiry, which 0 would be', async () => {
    assert.doesNotMatch(await makeMetrics({ version: '1' }).expose(), /^clusterlink_mcs_certificate_expiry_seconds /m);
  });

  it('what is counted → is exposed with its labels', async () => {
    const metrics = makeMetrics({ version: '1' });
    metrics.connections.inc({ direction: 'egress', import_or_export: 'shop/db', peer: 'east', reason: 'DONE' });
    metrics.connections.inc({ direction: 'egress', import_or_export: 'shop/db', peer: 'east', reason: 'DONE' }, 2);
    metrics.connectionsOpen.add({ direction: 'ingress' }, 3);
    metrics.connectionsOpen.add({ direction: 'ingress' }, -1);
    metrics.snapshotVersion.set({ component: 'gateway', state: 'acknowledged' }, 7);
    metrics.reconcileSeconds.observe({ controller: 'import' }, 0.02);
    metrics.storeProblems.set(2);
    metrics.certificateExpirySeconds.set(-5);
    const text = await metrics.expose();
    for (const line of [
      'connections_total{direction="egress",import_or_export="shop/db",peer="east",reason="DONE"} 3',
      'connections_open{direction="ingress"} 2',
      'snapshot_version{component="gateway",state="acknowledged"} 7',
      'reconcile_seconds_bucket{le="0.05",controller="import"} 1',
      'store_problems 2',
      'certificate_expiry_seconds -5',
    ]) {
      assert.ok(text.includes(`clusterlink_mcs_${line}`), `${line}\n${text}`);
    }
  });

  it('whether clients are seen with their addresses → no value until it is known', async () => {
    const metrics = makeMetrics({ version: '1' });
    assert.doesNotMatch(await metrics.expose(), /^clusterlink_mcs_client_addresses_visible/m);
    for (const value of [0, 1]) {
      metrics.clientAddressesVisible.set(value);
      assert.match(await metrics.expose(), new RegExp(`^clusterlink_mcs_client_addresses_visible ${value}$`, 'm'));
    }
  });

  it('series up to the bound → as they are; one more → "other", its reason kept', async () => {
    const metrics = makeMetrics({ version: '1', seriesMax: 2 });
    const count = (peer: string): void =>
      metrics.connections.inc({ direction: 'egress', import_or_export: `shop/${peer}`, peer, reason: 'EGRESS_DENIED' });
    for (const peer of ['a', 'b', 'c', 'd', 'a']) count(peer);
    const lines = (await metrics.expose())
      .split('\n')
      .filter((line) => line.startsWith('clusterlink_mcs_connections_total'));
    assert.deepEqual(lines, [
      'clusterlink_mcs_connections_total{direction="egress",import_or_export="shop/a",peer="a",reason="EGRESS_DENIED"} 2',
      'clusterlink_mcs_connections_total{direction="egress",import_or_export="shop/b",peer="b",reason="EGRESS_DENIED"} 1',
      'clusterlink_mcs_connections_total{direction="egress",import_or_export="other",peer="other",reason="EGRESS_DENIED"} 2',
    ]);
  });

  it('a gauge whose peer has gone → its series goes, and its place is free', async () => {
    const metrics = makeMetrics({ version: '1', seriesMax: 1 });
    metrics.sessions.set({ peer: 'east' }, 1);
    metrics.sessions.remove({ peer: 'east' });
    metrics.sessions.remove({ peer: 'never' });
    metrics.sessions.set({ peer: 'west' }, 2);
    const text = await metrics.expose();
    assert.ok(text.includes('clusterlink_mcs_sessions{peer="west"} 2') && !text.includes('east'));
  });

  it('a label with quotes and line breaks → escaped', async () => {
    const metrics = makeMetrics({ version: '1' });
    metrics.sessions.set({ peer: 'a"\n# b' }, 1);
    assert.ok((await metrics.expose()).includes(String.raw`{peer="a\"\n# b"} 1`));
  });

  it('two sets in one process → each has its own numbers', async () => {
    const [one, two] = [makeMetrics({ version: '1' }), makeMetrics({ version: '1' })];
    one.storeProblems.set(5);
    assert.ok((await two.expose()).includes('clusterlink_mcs_store_problems 0'));
  });
});
