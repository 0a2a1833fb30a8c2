"""Operations through the real GraphQL engine, as each persona."""
