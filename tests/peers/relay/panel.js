// What Relay's compiler reads; pages.mjs runs what it makes of it.
import { graphql } from "relay-runtime";

export const first = graphql`
  query panelFirstQuery($count: Int!) {
    ...panel_observations @arguments(count: $count)
  }
`;

export const panel = graphql`
  fragment panel_observations on Query
  @argumentDefinitions(count: { type: "Int!" }, cursor: { type: "String" })
  @refetchable(queryName: "panelNextQuery") {
    record {
      observations(first: $count, after: $cursor) @connection(key: "panel_observations") {
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

export const grant = graphql`
  mutation panelGrantMutation($input: GrantProxyAccessInput!) {
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
