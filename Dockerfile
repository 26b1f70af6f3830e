# Weft's image: weftd, weft, the CNI plugin, Node.js and nft, and nothing else: no shell, no package manager.
#   docker build -t weft .        (or buildah bud)
# BASE is what it is built on and takes Node.js and nft from: Debian 12 or newer with Node.js 24 or newer and npm.
ARG BASE=node:24-bookworm-slim
FROM ${BASE} AS build
RUN apt-get update && \
    DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends g++ make libuv1-dev nftables
WORKDIR /src
COPY package.json package-lock.json .npmrc ./
RUN npm ci --ignore-scripts
COPY . .
RUN make -j"$(nproc)" -C native && make -C cni/shim && npm prune --omit=dev --ignore-scripts && tools/image-root /image

FROM scratch
COPY --from=build /image /
ENV PATH=/usr/local/bin:/usr/sbin:/usr/bin UV_THREADPOOL_SIZE=8
ENTRYPOINT ["/usr/local/bin/node", "--disable-warning=ExperimentalWarning"]
CMD ["/weft/daemon/weftd.ts"]
