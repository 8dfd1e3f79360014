/** The bootstraps of a pair of Envoys. Pure. The names are those of Envoy's v3 API. */
import { EXPORTER, IMPORTER, SERVICES, type Credentials, type Place, type Places, type ServiceName } from './system.ts';

export type EnvoyForm = 'envoy-tcp' | 'envoy-h2';

interface ConfigOptions {
  readonly form: EnvoyForm;
  readonly from: Places;
  readonly to: Places;
  readonly own: Credentials;
}

const API = 'type.googleapis.com/envoy.extensions';
const STREAMS_MAX = 20_000;
const HTTP2 = {
  max_concurrent_streams: STREAMS_MAX,
  initial_stream_window_size: 16 * 2 ** 20,
  initial_connection_window_size: 24 * 2 ** 20,
};
const UNLIMITED = Object.fromEntries(
  ['max_connections', 'max_pending_requests', 'max_requests'].map((name) => [name, STREAMS_MAX]),
);

export function toImporterConfig({ form, from, to, own }: ConfigOptions): unknown {
  const tunnelled = form === 'envoy-h2';
  return toBootstrap(
    SERVICES.map((service) =>
      toListener(service, from[service], {
        filters: [toTcpProxy(tunnelled ? EXPORTER : service, tunnelled ? { hostname: `${service}:443` } : undefined)],
      }),
    ),
    tunnelled
      ? [toCluster(EXPORTER, to.echo, { ...toUpstreamTls(own, ['h2']), ...HTTP2_UPSTREAM })]
      : SERVICES.map((service) => toCluster(service, to[service], toUpstreamTls(own, []))),
  );
}

export function toExporterConfig({ form, from, to, own }: ConfigOptions): unknown {
  const clusters = SERVICES.map((service) => toCluster(service, to[service], {}));
  if (form === 'envoy-h2') {
    const chain = { filters: [CONNECT_FILTER], transport_socket: toDownstreamTls(own, ['h2']) };
    return toBootstrap([toListener('tunnels', from.echo, chain)], clusters);
  }
  return toBootstrap(
    SERVICES.map((service) =>
      toListener(service, from[service], {
        filters: [toTcpProxy(service, undefined)],
        transport_socket: toDownstreamTls(own, []),
      }),
    ),
    clusters,
  );
}

function toBootstrap(listeners: readonly unknown[], clusters: readonly unknown[]): unknown {
  return { static_resources: { listeners, clusters } };
}

function toListener(name: string, { host, port }: Place, chain: unknown): unknown {
  return { name, address: toAddress(host, port), filter_chains: [chain] };
}

function toAddress(address: string, port: number): unknown {
  return { socket_address: { address, port_value: port } };
}

function toTcpProxy(cluster: string, tunnel: { readonly hostname: string } | undefined): unknown {
  return {
    name: 'envoy.filters.network.tcp_proxy',
    typed_config: {
      '@type': `${API}.filters.network.tcp_proxy.v3.TcpProxy`,
      stat_prefix: cluster,
      cluster,
      idle_timeout: '0s',
      ...(tunnel === undefined ? {} : { tunneling_config: tunnel }),
    },
  };
}

function toCluster(name: string, { host, port }: Place, rest: object): unknown {
  return {
    name,
    type: 'STATIC',
    connect_timeout: '5s',
    circuit_breakers: { thresholds: [UNLIMITED] },
    load_assignment: {
      cluster_name: name,
      endpoints: [{ lb_endpoints: [{ endpoint: { address: toAddress(host, port) } }] }],
    },
    ...rest,
  };
}

const HTTP2_UPSTREAM = {
  typed_extension_protocol_options: {
    'envoy.extensions.upstreams.http.v3.HttpProtocolOptions': {
      '@type': `${API}.upstreams.http.v3.HttpProtocolOptions`,
      common_http_protocol_options: { idle_timeout: '0s' },
      explicit_http_config: { http2_protocol_options: HTTP2 },
    },
  },
};

const CONNECT_FILTER = {
  name: 'envoy.filters.network.http_connection_manager',
  typed_config: {
    '@type': `${API}.filters.network.http_connection_manager.v3.HttpConnectionManager`,
    stat_prefix: 'tunnels',
    codec_type: 'HTTP2',
    http2_protocol_options: { ...HTTP2, allow_connect: true },
    stream_idle_timeout: '0s',
    upgrade_configs: [{ upgrade_type: 'CONNECT' }],
    route_config: { virtual_hosts: SERVICES.map(toVirtualHost) },
    http_filters: [
      {
        name: 'envoy.filters.http.router',
        typed_config: { '@type': `${API}.filters.http.router.v3.Router`, suppress_envoy_headers: true },
      },
    ],
  },
};

function toVirtualHost(service: ServiceName): unknown {
  const connect = { upgrade_type: 'CONNECT', connect_config: {} };
  return {
    name: service,
    domains: [`${service}:443`],
    routes: [
      { match: { connect_matcher: {} }, route: { cluster: service, timeout: '0s', upgrade_configs: [connect] } },
    ],
  };
}

function toUpstreamTls(own: Credentials, alpn: readonly string[]): object {
  return {
    transport_socket: {
      name: 'envoy.transport_sockets.tls',
      typed_config: {
        '@type': `${API}.transport_sockets.tls.v3.UpstreamTlsContext`,
        sni: EXPORTER,
        common_tls_context: toTlsContext({ own, other: EXPORTER, alpn }),
      },
    },
  };
}

function toDownstreamTls(own: Credentials, alpn: readonly string[]): unknown {
  return {
    name: 'envoy.transport_sockets.tls',
    typed_config: {
      '@type': `${API}.transport_sockets.tls.v3.DownstreamTlsContext`,
      require_client_certificate: true,
      common_tls_context: toTlsContext({ own, other: IMPORTER, alpn }),
    },
  };
}

interface TlsOptions {
  readonly own: Credentials;
  readonly other: string;
  readonly alpn: readonly string[];
}

/** As a client Envoy offers no more than 1.2 unless it is told. */
function toTlsContext({ own, other, alpn }: TlsOptions): unknown {
  return {
    tls_params: { tls_minimum_protocol_version: 'TLSv1_3', tls_maximum_protocol_version: 'TLSv1_3' },
    tls_certificates: [{ certificate_chain: { filename: own.cert }, private_key: { filename: own.key } }],
    validation_context: {
      trusted_ca: { filename: own.ca },
      match_typed_subject_alt_names: [{ san_type: 'DNS', matcher: { exact: other } }],
    },
    ...(alpn.length === 0 ? {} : { alpn_protocols: alpn }),
  };
}
