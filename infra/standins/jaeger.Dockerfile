FROM python:3.11-slim
RUN pip install --no-cache-dir --root-user-action=ignore --quiet grpcio opentelemetry-proto
COPY quire_testing /app/quire_testing
ENV PYTHONPATH=/app PYTHONDONTWRITEBYTECODE=1
USER 10001:10001
EXPOSE 4317 4318 16686 13133
ENTRYPOINT ["python", "-m", "quire_testing.otlp_sink"]
