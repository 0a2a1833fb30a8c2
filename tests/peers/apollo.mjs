// Apollo Client: pages with relayStylePagination, and problems told apart by fragments.
import { ApolloClient, gql, HttpLink, InMemoryCache } from "@apollo/client";
import { relayStylePagination } from "@apollo/client/utilities";
import { headers, pageSize, say, url, wishes } from "./portal.mjs";

const PANEL = gql`
  query ApolloPanel($first: Int!, $after: String) {
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
  mutation ApolloGrant($input: GrantProxyAccessInput!) {
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
const problems = ["Input", "NotFound", "StaleVersion", "KeyReused", "Busy"];
const client = new ApolloClient({
  link: new HttpLink({ uri: url, headers }),
  cache: new InMemoryCache({
    possibleTypes: { Problem: problems.map((name) => `${name}Problem`) },
    typePolicies: { Record: { merge: true, fields: { observations: relayStylePagination() } } },
  }),
});

const first = { query: PANEL, variables: { first: pageSize } };
const panel = client.watchQuery(first);
await new Promise((answered, failed) => {
  panel.subscribe(({ loading, error }) => (error ? failed(error) : loading || answered()));
});
const connection = () => client.readQuery(first).record.observations;
let pages = 1;
while (connection().pageInfo.hasNextPage) {
  await panel.fetchMore({ variables: { after: connection().pageInfo.endCursor } });
  pages += 1;
}
const answers = [];
for (const input of wishes) {
  const answer = await client.mutate({ mutation: GRANT, variables: { input } });
  answers.push(answer.data.grantProxyAccess);
}
say({ ids: connection().edges.map(({ node }) => node.id), pages, answers });
client.stop();
