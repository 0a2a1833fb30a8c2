// urql with Graphcache: pages with relayPagination, and problems told apart by fragments.
import { readFileSync } from "node:fs";
import { Client, fetchExchange, gql } from "@urql/core";
import { cacheExchange } from "@urql/exchange-graphcache";
import { relayPagination } from "@urql/exchange-graphcache/extras";
import { buildSchema, introspectionFromSchema } from "graphql";
import { headers, pageSize, say, url, wishes } from "./portal.mjs";

const PANEL = gql`
  query UrqlPanel($first: Int!, $after: String) {
    record {
      observations(first: $first, after: $after) {
        edges {
          node {
            id
            code {
              text
            }
          }
        }
        pageInfo {
          hasNextPage
          endCursor
        }
      }
    }
  }
`;
const GRANT = gql`
  mutation UrqlGrant($input: GrantProxyAccessInput!) {
    grantProxyAccess(input: $input) {
      __typename
      ... on ProxyAccessChanged {
        repeated
      }
      ... on Problem {
        code
        path
      }
    }
  }
`;
const schema = introspectionFromSchema(buildSchema(readFileSync("schema.graphql", "utf8")));
const embedded = () => null;
const client = new Client({
  url,
  fetchOptions: { headers },
  preferGetMethod: false,
  exchanges: [
    cacheExchange({
      schema,
      keys: { Record: embedded, Concept: embedded },
      resolvers: { Record: { observations: relayPagination() } },
    }),
    fetchExchange,
  ],
});

let connection;
let after;
let pages = 0;
do {
  const { data, error } = await client.query(PANEL, { first: pageSize, after }).toPromise();
  if (error) throw error;
  connection = data.record.observations;
  after = connection.pageInfo.endCursor;
  pages += 1;
} while (connection.pageInfo.hasNextPage);
const answers = [];
for (const input of wishes) {
  const { data, error } = await client.mutation(GRANT, { input }).toPromise();
  if (error) throw error;
  answers.push(data.grantProxyAccess);
}
say({ ids: connection.edges.map(({ node }) => node.id), pages, answers });
